"""Every command of the operator by its name on the local socket."""

from __future__ import annotations

from collections.abc import Mapping

from hub.operations import accounts, credits, forwarding, gateways, keys, logins, moving_in, people, phones, upkeep
from hub.operations.admin_socket import Command

COMMANDS: Mapping[str, Command] = {
    "account.create": accounts.account_create,
    "account.list": accounts.account_list,
    "key.create": keys.key_create,
    "key.list": keys.key_list,
    "key.revoke": keys.key_revoke,
    "login.create": logins.login_create,
    "login.list": logins.login_list,
    "login.password": logins.login_password,
    "login.delete": logins.login_delete,
    "gateway.create": gateways.gateway_create,
    "gateway.list": gateways.gateway_list,
    "gateway.token": gateways.gateway_token,
    "gateway.delete": gateways.gateway_delete,
    "gateway.route": gateways.gateway_route,
    "gateway.routes": gateways.gateway_routes,
    "gateway.unroute": gateways.gateway_unroute,
    "forward.webhook": forwarding.forward_webhook,
    "forward.mail": forwarding.forward_mail,
    "forward.show": forwarding.forward_show,
    "forward.stop": forwarding.forward_stop,
    "credits.price": credits.credits_price,
    "credits.off": credits.credits_off,
    "credits.add": credits.credits_add,
    "credits.show": credits.credits_show,
    "user.add": people.user_add,
    "user.list": people.user_list,
    "user.sign_ups": people.user_sign_ups,
    "user.setup": people.user_setup,
    "user.reset": people.user_reset,
    "user.disable": people.user_disable,
    "import.smsgate": moving_in.import_from_smsgate,
    "enrol": phones.enrol,
    "device.add": phones.device_add,
    "status": phones.status,
    "backup": upkeep.backup,
    "resume": upkeep.resume,
}
