"""What people do about alerts: acknowledge, assign, silence."""
