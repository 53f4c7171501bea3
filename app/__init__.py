"""The service: settings, dispatcher, listener state, HTTP."""
