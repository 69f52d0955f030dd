export const part = "l1-9";
