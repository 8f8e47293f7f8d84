"""Run the command line and send it SIGINT when so many trainings have ended.

python interrupting_run.py COUNT run FILE --home HOME
"""

import os
import signal
import sys

from uda_study.cli.app import main
from uda_study.engine.journal import Finished, Journal

if __name__ == "__main__":
    left = int(sys.argv.pop(1))
    write = Journal.write

    def write_and_count(self: Journal, event) -> None:
        global left  # noqa: PLW0603
        write(self, event)
        left -= isinstance(event, Finished)
        if left == 0 and isinstance(event, Finished):
            os.kill(os.getpid(), signal.SIGINT)

    Journal.write = write_and_count
    main()
