"""Networks, cut into groups where a method needs to look inside."""
