"""Event time: watermarks, panes, calendar periods, running sums over them."""
