"""Reading a table: files to chunks of columns, and columns in compact form."""
