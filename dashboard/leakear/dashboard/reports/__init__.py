"""Reports of a month and of a case: one description, shown as HTML and as PDF; tables as CSV, visits as ICS."""
