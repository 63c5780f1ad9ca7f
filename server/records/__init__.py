"""Records: what happened in class on its way to an external records store, and the proof that the log is whole."""
