"""What the command line does, a file a command. Each `run(arguments)` returns an exit code."""
