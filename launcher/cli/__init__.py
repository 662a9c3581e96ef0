"""./kubonsai: the command line. main.py parses and dispatches; a module per group of commands; providers.py finds the cluster; output.py
prints."""
