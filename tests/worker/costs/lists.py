"""A price list for tests: round figures of two machines and a card in one region."""

from datetime import date, timedelta

from worker.costs.machine import DEFAULT
from worker.costs.prices import AcceleratorPrice, MachinePrice, PriceList, RegionPrices

DAY, OLDER = date(2026, 10, 7), date(2026, 9, 29)
SMALL = MachinePrice(DEFAULT, 4, 16, 0.12, DAY)
LARGE = MachinePrice("e2-standard-8", 8, 32, 0.24, DAY)
OTHER = MachinePrice("n1-standard-4", 4, 15, 0.2, DAY)
HERE = RegionPrices({one.name: one for one in (SMALL, LARGE, OTHER)}, {"NVIDIA_TESLA_T4": AcceleratorPrice(0.4, OLDER)})
LIST = PriceList(DAY, run_fee=0.03, increment=timedelta(seconds=30), regions={"us-central1": HERE})
