"""HTTP and nothing else: routes, requests, answers, the server, admin rights and reloads."""
