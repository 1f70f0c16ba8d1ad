"""The answer to where a leak is: in words, as JSON, as curves and drawings, as one page."""
