export const part = "l3-9";
