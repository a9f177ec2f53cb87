"""What holds for every test: how much the property tests try, and how the program that runs them begins and ends."""

import atexit
import gc
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None)
settings.register_profile("long", deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# msgspec's types crash now and then when the interpreter takes them apart at its end (msgspec #717): leave them whole
atexit.register(gc.freeze)

# A shell that runs `make test &` has interrupts ignored, which the programs that tests interrupt would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
