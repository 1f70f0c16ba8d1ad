"""What a file says of its sound, before libsndfile decodes it: where it begins and how long it is.

libsndfile reads a file that ends too early without an error, and stops at the length in the header where more sound
follows. So each kind of file is examined here first. One file can hold several sounds, one after the other.
"""
