"""The console: a page on which people score applicants, see why, and ask what would change it."""
