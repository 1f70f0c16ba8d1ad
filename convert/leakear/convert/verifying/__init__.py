"""Whether a converted file says what its network says: on every runtime, window by window, in alerts; the gate."""
