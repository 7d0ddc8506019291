"""Gateways: accounts in Twilio's shape, for PBXs and for programs written against Twilio."""
