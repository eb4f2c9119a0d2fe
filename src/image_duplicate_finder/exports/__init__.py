"""What a scan found in forms that other programs read: tables, graphs, lists and decisions."""
