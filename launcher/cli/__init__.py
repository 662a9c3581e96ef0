"""./kubonsai: the command line. main.py parses and dispatches; a module per group of commands; output.py prints."""
