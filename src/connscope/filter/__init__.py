"""One grammar for what somebody wants to see: ``--filter``, the API and the search box.

Example:
    from connscope.filter import parse

    wanted = parse("proc:nginx remote.ip:10.0.0.0/8 -is:failed")
    rows = rows[wanted.mask(rows, now_ns=now_ns)]

docs/filter.md tells the whole language.
"""

from connscope.filter.error import FilterError
from connscope.filter.language import Filter, parse
from connscope.filter.parser import Ignored

__all__ = ("Filter", "FilterError", "Ignored", "parse")
