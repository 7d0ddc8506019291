"""What is attached to messages: its bytes, the links it is fetched by, and the answers that carry it."""
