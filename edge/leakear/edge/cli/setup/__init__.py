"""`leakear-edge setup`: from questions, in a terminal or a web form, to a configuration that was tried."""
