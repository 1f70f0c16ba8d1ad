"""Background: the levels of the last week at this node, and the excess of the present over them."""
