"""The btf tier: typed tracepoints and socket storage."""
