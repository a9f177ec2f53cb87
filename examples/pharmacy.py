"""pharmacy.py STATION REQUEST: an activation at a pharmacy counter, and what the clerk has to do."""

import getpass
import sys

from cardd.client.blocking_counter import Counter
from cardd.client.steps import Ended, Question

station, request = sys.argv[1:]
for step in Counter(program="till-3").activate_pharmacy(station=station, request=request):
    print(step.text["zh-CN"])
    if isinstance(step, Question):
        step.answer(getpass.getpass(""))
    elif isinstance(step, Ended):
        sys.exit(step.outcome is None)
