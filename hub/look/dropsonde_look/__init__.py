"""Look and feel for JupyterHub: a brand from settings, announcements, a gallery of every page, a check of templates."""
