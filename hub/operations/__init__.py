"""The operator's commands: what the words of `hub account`, `hub key`, `hub enrol`, `hub status` … do, in a running hub or without one.

Each is `async (services, **arguments) -> JSON object` and refuses by raising HubError. The command line (`hub.cli`) only asks and prints.
"""
