"""All tasks of the quality benchmark.

Real ones need the folder of public data sets; simulated ones need nothing.
"""

from __future__ import annotations

from .folder_tasks import bpi2012_tasks, completejourney_task, firm_task
from .known_task import SIZES, known_task, known_world
from .sheet_tasks import bank_tasks, shoppers_task
from .task import Part, Task

__all__ = [
    "SIZES",
    "Part",
    "Task",
    "firm_task",
    "known_task",
    "known_world",
    "real_tasks",
]


def real_tasks() -> list[Task]:
    """Return the tasks of real data.

    Raises
    ------
    FileNotFoundError
        The public data sets are not there.
    """
    return [completejourney_task(), *bpi2012_tasks(), *bank_tasks(), shoppers_task()]
