"""How much the property tests try: enough for every day, and `--hypothesis-profile=long` for a night."""

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
