export const part = "l2-9";
