export const part = "l1-4";
