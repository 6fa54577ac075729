"""What people type after `invoke`, where one file of verbs would be too long."""
