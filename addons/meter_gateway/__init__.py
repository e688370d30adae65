from . import models, rpc_guard, wizards

rpc_guard.install()
