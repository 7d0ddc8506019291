"""`hub demo`: the whole product on one machine, in front of your eyes."""
