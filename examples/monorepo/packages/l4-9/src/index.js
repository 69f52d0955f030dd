export const part = "l4-9";
