export const part = "l5-9";
