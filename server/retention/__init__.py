"""How long what a class leaves behind is kept, per kind and tenant; legal holds."""
