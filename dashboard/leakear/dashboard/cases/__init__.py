"""Cases: from an alert to a visit, a repair, and the nights that show whether it held."""
