"""What is asked of a table as a whole, and the page on it."""
