"""What the tests share: real brokers, simulated hardware, nodes in processes of their own."""
