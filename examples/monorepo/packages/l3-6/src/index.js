export const part = "l3-6";
