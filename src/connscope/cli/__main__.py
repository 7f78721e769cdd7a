"""``python -m connscope.cli`` is the same as ``connscope``."""

from connscope.cli.main import main

raise SystemExit(main())
