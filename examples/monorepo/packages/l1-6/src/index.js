export const part = "l1-6";
