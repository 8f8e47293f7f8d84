"""``python -m uda_study`` is the command ``uda-study``."""

from uda_study.cli.app import main

if __name__ == "__main__":
    main()
