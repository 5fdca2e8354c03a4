"""Fill the terminal: the workbench, the launch form, the log, help and the stop question."""
