"""The lines of the table, one module each; its `measure` gives the results."""
