"""One file a command: arguments in, a call, a table out."""
