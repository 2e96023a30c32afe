"""Whether a worker was ended for its memory. Dask tells the client only that a worker died."""

from __future__ import annotations

import logging
import threading


class MemoryWatch(logging.Handler):
    """Hears what nannies say. They live in the process that started the cluster, so nothing is heard of an attached one."""

    LOGGER = "distributed.nanny.memory"

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard = threading.Event()
        logging.getLogger(self.LOGGER).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if "memory" in record.getMessage() and "exceeded" in record.getMessage():
            self.heard.set()

    def reset(self) -> None:
        self.heard.clear()

    def close(self) -> None:
        logging.getLogger(self.LOGGER).removeHandler(self)
        super().close()
