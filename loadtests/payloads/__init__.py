"""What is sent: applicants, and requests made of them."""
